"""What the RFCs say, sentence by sentence: each test asserts the whole state and all the actions."""
