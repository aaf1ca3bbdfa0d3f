"""The global model under test, and the loop that lets it be tested between rounds."""
