"""The leaderboard: tasks that every rule is run on, entries that anyone can check, and their page."""
