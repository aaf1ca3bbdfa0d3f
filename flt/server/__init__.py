"""The server's part of a round: draw, let train, receive, share among processes, check, continue."""
