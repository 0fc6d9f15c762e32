# A private Postgres and Redis for one run. Sourced by with-services.

services_dir=
postgres_data=
redis_pid=

# start_services starts what no TEST_…_URL names and exports the URLs.
start_services() {
	services_dir=$(mktemp -d "${TMPDIR:-/tmp}/feedgate-test.XXXXXX")
	chmod 711 "$services_dir" # the postgres user must reach its directory
	if [ -z "${TEST_POSTGRES_URL:-}" ]; then start_postgres; fi
	if [ -z "${TEST_REDIS_URL:-}" ]; then start_redis; fi
}

# stop_services ends them and removes their directory. It may be called at any
# time, also when they were never started.
stop_services() {
	if [ -n "$postgres_data" ] && [ -e "$postgres_data/postmaster.pid" ]; then
		as_postgres "$postgres_bin/pg_ctl" stop -s -w -m immediate -D "$postgres_data" || true
	fi
	if [ -n "$redis_pid" ]; then
		kill "$redis_pid" 2>/dev/null || true
		wait "$redis_pid" 2>/dev/null || true
	fi
	if [ -n "$services_dir" ]; then rm -rf "$services_dir"; fi
}

# as_postgres runs a command as a user that may run a Postgres server: it
# refuses to be run by root.
as_postgres() {
	if [ "$(id -u)" -eq 0 ]; then
		(cd / && runuser -u postgres -- "$@")
	else
		"$@"
	fi
}

# free_port prints a loopback port on which nothing listens, below the range
# that the system gives to outgoing connections.
free_port() {
	local port
	while :; do
		port=$((20000 + RANDOM % 10000))
		if ! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
			echo "$port"
			return
		fi
	done
}

start_postgres() {
	local home="$services_dir/postgres" port try
	postgres_bin=$(pg_bin)
	mkdir "$home"
	if [ "$(id -u)" -eq 0 ]; then chown postgres "$home"; fi
	as_postgres "$postgres_bin/initdb" -D "$home/data" -U postgres -A trust -E UTF8 --locale=C >"$services_dir/initdb.log" 2>&1 ||
		{ cat "$services_dir/initdb.log" >&2; return 1; }
	postgres_data="$home/data"
	# fsync stays on: what the tests call durable is.
	cat <<-CONF | as_postgres tee -a "$postgres_data/postgresql.conf" >/dev/null
		listen_addresses = '127.0.0.1'
		unix_socket_directories = '$home'
		max_connections = 400
		shared_buffers = 128MB
		fsync = on
	CONF
	for try in 1 2 3 4 5; do
		port=$(free_port)
		if as_postgres "$postgres_bin/pg_ctl" start -s -w -t 60 -D "$postgres_data" -l "$home/log" -o "-p $port"; then
			export TEST_POSTGRES_URL="postgres://postgres@127.0.0.1:$port/postgres?sslmode=disable"
			return
		fi
	done
	cat "$home/log" >&2
	return 1
}

start_redis() {
	local port try
	for try in 1 2 3 4 5; do
		port=$(free_port)
		# In a session of its own: a Ctrl-C is for the tests first.
		setsid redis-server --bind 127.0.0.1 --port "$port" --save '' --appendonly no \
			--dir "$services_dir" >"$services_dir/redis.log" 2>&1 </dev/null &
		redis_pid=$!
		if redis_answers "$port"; then
			export TEST_REDIS_URL="redis://127.0.0.1:$port/0"
			return
		fi
		kill "$redis_pid" 2>/dev/null || true
		wait "$redis_pid" 2>/dev/null || true
		redis_pid=
	done
	cat "$services_dir/redis.log" >&2
	return 1
}

# redis_answers waits up to ten seconds for a PONG from the process just started.
redis_answers() {
	local i line
	for i in $(seq 100); do
		kill -0 "$redis_pid" 2>/dev/null || return 1
		if line=$(exec 2>/dev/null 3<>"/dev/tcp/127.0.0.1/$1" && printf 'PING\r\n' >&3 && head -c 5 <&3) && [ "$line" = +PONG ]; then
			return 0
		fi
		sleep 0.1
	done
	return 1
}
