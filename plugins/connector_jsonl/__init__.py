"""Events as lines of JSON, in a file or on standard output."""
