"""What mixes the updates before a rule sees them, tensors to tensors."""
