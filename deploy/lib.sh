# What deploy/up, down, status and logs share: where the local stack lives, which ports it has, how a process is started,
# recognised and stopped. Sourced, never run. Knows nothing of PostgreSQL and Redis: that is stores.sh.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
services=(identity dossier payments notifications booking protocol)
programs=(mailbox appio pagopa spid "${services[@]}" gateway)       # in the order in which they start
declare -A offset=(
	[gateway]=0 [identity]=21 [dossier]=22 [payments]=23 [notifications]=24 [booking]=25 [protocol]=26
	[https]=363 [pagopa]=101 [appio]=102 [mailbox]=103 [smtp]=104 [spid]=105 [postgres]=110 [redis]=111
)

die() {
	echo "deploy: $*" >&2
	exit 1
}

# The header comment of the calling script is its help.
usage() {
	sed -n '2,/^[^#]/{s/^# \{0,1\}//p}' "$0"
	exit "${1:-0}"
}

# Sets the variables of the options and leaves what is not an option in $words.
read_options() {
	base='' state='' preset=release bin='' build=yes demo=yes erase=no words=() changed=()
	while [ $# -gt 0 ]; do
		case $1 in
		--base | --state | --preset | --bin)
			[ $# -ge 2 ] || die "$1 wants a value"
			printf -v "${1#--}" %s "$2"
			shift
			;;
		--set)
			[[ ${2:-} == PORTICO_*=* ]] || die "--set wants PORTICO_NAME=VALUE"
			changed+=("$2")
			shift
			;;
		--no-build) build=no ;;
		--no-demo) demo=no ;;
		--erase) erase=yes ;;
		--help | -h) usage ;;
		-*) die "there is no option $1; see $0 --help" ;;
		*) words+=("$1") ;;
		esac
		shift
	done
	state=$(realpath -m "${state:-$root/.portico}")
	base=${base:-$(cat "$state/base" 2>/dev/null || echo 8080)}
	[[ $base =~ ^[0-9]+$ ]] && ((base >= 1024 && base <= 65100)) || die "--base wants a port between 1024 and 65100"
	bin=$(realpath -m "${bin:-$root/build/$preset/bin}")
	run=$state/run log=$state/log secrets=$state/secrets
}

port() {
	echo $((base + offset[$1]))
}

port_taken() {
	(exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

require_port_free() {    # require_port_free NAME
	local taken by
	taken=$(port "$1")
	port_taken "$taken" || return 0
	by=$(ss -Hltnp "sport = :$taken" 2>/dev/null | grep -o 'users:.*' | head -1) || true
	die "port $taken, wanted for $1, is in use${by:+ by $by}: stop that program, or choose other ports with ./deploy/up --base $((base + 1000))"
}

# install_packages FILE: the Debian packages of that list that are missing. "npm|npm" stands for: npm, unless there is a command npm.
install_packages() {
	local installed package command missing=() sudo='' output
	installed=$(dpkg-query -W -f '${db:Status-Abbrev} ${Package}\n' | sed -n 's/^ii *//p')
	while IFS='|' read -r package command; do
		grep -qxF "$package" <<<"$installed" || { [ -n "$command" ] && command -v "$command" >/dev/null; } || missing+=("$package")
	done < <(sed 's/[[:space:]]*#.*//; /^$/d' "$1")
	[ ${#missing[@]} -gt 0 ] || return 0
	echo "    installing: ${missing[*]}"
	if [ "$(id -u)" != 0 ]; then
		command -v sudo >/dev/null || die "packages are missing and there is no sudo; as root, run: apt-get install ${missing[*]}"
		sudo=sudo
	fi
	output=$({ $sudo apt-get -qq update && $sudo env DEBIAN_FRONTEND=noninteractive apt-get -qq -y install \
		--no-install-recommends "${missing[@]}"; } 2>&1 9>&-) ||
		die "the packages could not be installed; apt-get said: $(tail -n 5 <<<"$output")"
}

# ---- processes: $run/NAME.pid holds "PID START-TIME", so that a recycled pid is never taken for ours

start_time() {
	sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f20
}

pid_of() {               # prints the pid of NAME while it runs, else fails
	local pid started
	read -r pid started 2>/dev/null <"$run/$1.pid" || return 1
	[ "$(start_time "$pid")" = "$started" ] && [[ $(awk '{print $3}' "/proc/$pid/stat" 2>/dev/null) == [!Z] ]] || return 1
	echo "$pid"
}

# launch NAME COMMAND…: detached, in an empty environment plus the lines NAME=VALUE of standard input, its output in $log.
# Does nothing when the same command with the same settings, binary and $contracts (their checksum) already runs.
launch() {
	local name=$1 settings stamp pid
	shift
	mapfile -t settings
	stamp=$(printf '%s\n' "$@" "${settings[@]}"; stat -Lc '%i %Y' "$1")$contracts
	if pid=$(pid_of "$name"); then
		[ "$stamp" != "$(cat "$run/$name.stamp" 2>/dev/null)" ] || return 0
		stop "$name"
	fi
	require_port_free "$name"
	setsid env -i PATH=/usr/bin:/bin LANG=C.UTF-8 ${ASAN_OPTIONS:+ASAN_OPTIONS="$ASAN_OPTIONS"} "${settings[@]}" "$@" \
		>>"$log/$name.log" 2>&1 </dev/null 9>&- &
	pid=$!
	disown "$pid"
	echo "$pid $(start_time "$pid")" >"$run/$name.pid"
	echo "$stamp" >"$run/$name.stamp"
}

stop() {                 # stop NAME: asks, waits 45 s, insists. A service's orderly end takes 40 s at most (libcommon/service.c)
	local pid i
	if pid=$(pid_of "$1"); then
		kill "$pid" 2>/dev/null || true
		for ((i = 0; i < 450; i++)); do
			pid_of "$1" >/dev/null || break
			sleep 0.1
		done
		! pid_of "$1" >/dev/null || kill -KILL "$pid" 2>/dev/null || true
	fi
	rm -f "$run/$1.pid" "$run/$1.stamp"
}

ready() {                # ready NAME: one look
	case $1 in
	smtp | redis) port_taken "$(port "$1")" ;;
	postgres) postgres_ready ;;
	*) curl -fsS -m 2 -o /dev/null "http://127.0.0.1:$(port "$1")/readyz" 2>/dev/null ;;
	esac
}

await() {                # await NAME: until it is ready, at most 30 s
	local i
	for ((i = 0; i < 300; i++)); do
		! ready "$1" || return 0
		pid_of "$1" >/dev/null || break
		sleep 0.1
	done
	tail -n 5 "$log/$1.log" >&2 || true
	die "$1 is not ready; its last lines are above, all of them in $log/$1.log"
}
