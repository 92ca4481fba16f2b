"""ADS transcripts as tests."""
