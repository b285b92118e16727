"""Components of the baselines that the second paper compares with EmpathyGAIL (Section 5)."""
