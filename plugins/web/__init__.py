"""What the checkers of web servers are made of: answers, and what they must be."""
