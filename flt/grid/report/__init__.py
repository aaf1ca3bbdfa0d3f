"""A grid as one page of HTML, and as JSON."""
