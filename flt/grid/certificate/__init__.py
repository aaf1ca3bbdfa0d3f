"""Certified accuracy of a vote of models, each of which some of the clients have trained."""
