"""What records and shows a run."""
