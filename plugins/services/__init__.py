"""What the checkers of databases have in common; the checkers themselves are in the files beside this folder."""
