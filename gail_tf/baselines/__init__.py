"""Parts of the baselines that the second paper compares EmpathyGAIL with (Section 5)."""
