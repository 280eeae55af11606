# The private PostgreSQL cluster and Redis of the local stack. Sourced after lib.sh, never run. The cluster listens on a socket
# in a folder that only its user enters, and on no network port; the cluster that Debian makes is never touched.

pg_bin=/usr/lib/postgresql/15/bin

# PostgreSQL refuses to run as root: then it runs as the user that Debian made for it.
as_postgres() {
	if [ "$(id -u)" = 0 ]; then
		(cd / && runuser -u postgres -- "$@")
	else
		"$@"
	fi
}

# Where the cluster lives: in the state, or where its user can get to it (a clone below /root), reached by a link. A socket's path
# has at most 107 bytes: a deeper state has its socket in /tmp.
find_cluster() {
	local short
	short=$(printf %s "$state" | sha256sum | cut -c1-12)
	cluster=$state/postgres
	[ ! -L "$cluster" ] || cluster=$(readlink "$cluster")
	if [ ! -e "$cluster" ] && ! as_postgres test -x "$state"; then
		cluster=/var/lib/postgresql/portico-$short
		ln -sfn "$cluster" "$state/postgres"
	fi
	socket=$cluster/socket
	[ ${#socket} -le 85 ] || socket=/tmp/portico-$short
}

make_cluster() {
	[ -x "$pg_bin/initdb" ] || die "PostgreSQL 15 is missing: apt-get install postgresql-15"
	for folder in "$cluster" "$socket"; do
		mkdir -p "$folder"
		if [ "$(id -u)" = 0 ]; then chown postgres: "$folder"; fi
		chmod 0700 "$folder" || die "$folder belongs to somebody else: remove it, or choose another --state"
	done
	[ -f "$cluster/data/PG_VERSION" ] || {
		as_postgres rm -rf "$cluster/new"
		as_postgres "$pg_bin/initdb" -D "$cluster/new" -U postgres -E UTF8 --locale=C.UTF-8 --auth-local=trust \
			--auth-host=reject --data-checksums >"$log/initdb.log" 2>&1 ||
			die "the database cluster could not be made: see $log/initdb.log"
		as_postgres mv "$cluster/new" "$cluster/data"
	}
}

# Durable as in production: fsync and synchronous_commit stay on.
start_postgres() {
	find_cluster
	make_cluster
	! postgres_ready || return 0
	await_dead_postgres
	as_postgres tee "$cluster/data/postgresql.auto.conf" >/dev/null <<-END
		listen_addresses = ''
		port = $(port postgres)
		unix_socket_directories = '$socket'
		max_connections = 200
		shared_buffers = 128MB
		timezone = 'UTC'
		log_line_prefix = '%m %p %u@%d '
		logging_collector = off
		cluster_name = 'portico'
	END
	ln -sfn "$cluster/postgres.log" "$log/postgres.log"
	as_postgres "$pg_bin/pg_ctl" -D "$cluster/data" -l "$cluster/postgres.log" -w -t 60 start </dev/null >/dev/null 9>&- || {
		tail -n 5 "$log/postgres.log" >&2
		die "PostgreSQL does not start; its last lines are above, all of them in $log/postgres.log"
	}
}

# One that was killed leaves its lock file behind, and takes a moment to be gone.
await_dead_postgres() {
	local i
	for ((i = 0; i < 100; i++)); do
		postgres_pid >/dev/null || return 0
		! postgres_ready || return 0
		sleep 0.1
	done
}

stop_postgres() {
	find_cluster
	postgres_pid >/dev/null || return 0
	as_postgres "$pg_bin/pg_ctl" -D "$cluster/data" -m fast -w -t 60 stop >/dev/null
}

postgres_pid() {
	local pid
	pid=$(as_postgres head -n 1 "$cluster/data/postmaster.pid" 2>/dev/null) && [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = postgres ] &&
		echo "$pid"
}

postgres_ready() {
	"$pg_bin/pg_isready" -q -h "$socket" -p "$(port postgres)" -U postgres -d postgres
}

sql() {                  # sql DATABASE PSQL-ARGUMENT…: as superuser, stopping at the first error
	local database=$1
	shift
	PGOPTIONS='-c client_min_messages=warning' "$pg_bin/psql" -X -q -v ON_ERROR_STOP=1 -h "$socket" -p "$(port postgres)" \
		-U postgres -d "$database" "$@"
}

conninfo() {             # conninfo NAME ROLE
	echo "host=$socket port=$(port postgres) dbname=portico_$1 user=$2"
}

start_redis() {
	mkdir -p "$state/redis"
	launch redis "$(command -v redis-server)" --port "$(port redis)" --bind 127.0.0.1 --dir "$state/redis" --appendonly yes \
		--appendfsync everysec --save '' --maxmemory 256mb --maxmemory-policy noeviction --daemonize no </dev/null
}
