"""What passes through a round and what plugs into it: all that a rule or an attack has to import."""
