"""The policy file: strict YAML in, one frozen `Policy` out, and every problem of it at once."""
