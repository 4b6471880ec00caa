"""The checkers of databases and the like, against the real servers; a server that is missing is a failure."""
