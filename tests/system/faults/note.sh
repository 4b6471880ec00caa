#!/bin/sh
# Notes what it is told: note.sh FILE WORD ...
file=$1
shift
echo "$*" >>"$file"
