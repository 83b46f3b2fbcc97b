"""The CA that every arm's certificates come from. Plans ask for identities by name; only the programs here hold keys."""
