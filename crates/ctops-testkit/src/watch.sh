bin=$1 root=$2 data=$3
exec 9>>"$root/use.lock"

# Should this script be killed, the kernel stops the server.
setpriv --pdeathsig INT "$bin/postgres" -D "$data" -k "$root" -p 5432 >"$root/log" 2>&1 9>&- &
server=$!

while sleep 5; do
    # Some test began within the last minute, or is still running.
    [ -n "$(find "$root/use.lock" -mmin -1)" ] && continue
    flock --exclusive --nonblock 9 && break
done

kill -INT "$server"
wait "$server"
rm -rf "$data"
