"""Parts of the baselines with which the second paper compares EmpathyGAIL (Section 5)."""
