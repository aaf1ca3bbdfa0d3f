"""What clients make of their gradients: the settings that everyone trains by."""
