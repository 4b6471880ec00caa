#!/bin/sh
# A program for notify_up, notify_down, quorum_up, quorum_down: says what it was told.
echo "notify: $*"
