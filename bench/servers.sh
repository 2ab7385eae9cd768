#!/usr/bin/env bash
# Brings the servers that McCache is measured beside, as Debian packages; does nothing where they are, or where it may not.
set -u
for program in redis-server nats-server; do
  command -v "$program" > /dev/null && continue
  if [ "$(id -u)" != 0 ] || ! command -v apt-get > /dev/null; then
    echo "$program is not there and cannot be installed here: its cases are skipped." >&2
    continue
  fi
  echo "installing $program" >&2
  (apt-get install -y --no-install-recommends "$program" || { apt-get update && apt-get install -y --no-install-recommends "$program"; }) > /dev/null 2>&1 ||
    echo "$program could not be installed: its cases are skipped." >&2
done
exit 0
