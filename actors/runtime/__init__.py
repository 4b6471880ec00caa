"""What carries actors out: greenlets, mailboxes, timers, threads. May import ``actors.core``, never an actor."""
