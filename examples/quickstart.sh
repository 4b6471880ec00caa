#!/bin/sh
# Three backends, a sorry server, and the daemon that balances them at 127.0.0.1:8000. Ctrl-C ends all.
set -eu
cd "$(dirname "$0")/.."
python examples/backends.py --free 8000 8001 8002 8003 8009

cat <<TEXT
In another terminal:
  curl http://127.0.0.1:8000/          who answers
  kill PID                             of a backend below: watch it leave the pool
  python3 examples/backends.py 8001    and come back
  python -m actors.ctl status          how things stand; python is $(command -v python)
TEXT

# The backends end with the shell that starts them, which becomes the daemon.
python examples/backends.py 8001 8002 8003 8009 &
exec python -m actors.main examples/quickstart.conf "$@"
