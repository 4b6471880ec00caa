"""Pure decisions: functions and frozen values. No I/O, no clock, no gevent may be imported here."""
