"""Published or own files to tensors, checked by content."""
