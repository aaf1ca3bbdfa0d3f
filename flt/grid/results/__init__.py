"""Tables and figures of a finished grid."""
