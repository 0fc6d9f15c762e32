# What the tests need from the machine: found, or installed when root allows.
# Sourced by with-services.

# A toolchain in Go's usual place counts, also where PATH does not name it.
if ! command -v go >/dev/null && [ -x /usr/local/go/bin/go ]; then
	export PATH="$PATH:/usr/local/go/bin"
fi

# pg_bin prints the directory of the newest installed Postgres server.
pg_bin() {
	local dir
	for dir in $(printf '%s\n' /usr/lib/postgresql/*/bin | sort -rV) $(dirname "$(command -v postgres || echo /none)"); do
		if [ -x "$dir/initdb" ] && [ -x "$dir/pg_ctl" ]; then
			echo "$dir"
			return
		fi
	done
	return 1
}

# chromium_bin prints the browser's path.
chromium_bin() {
	command -v chromium || command -v chromium-browser || command -v google-chrome
}

have_compiler() { command -v "${CC:-gcc}" >/dev/null && [ -e /usr/include/stdlib.h ]; }

# need_all leaves every tool in place or ends the run saying what is missing
# and what to set instead.
need_all() {
	local packages=() missing=()

	command -v go >/dev/null || { echo "make test: no Go toolchain in PATH (go.mod names the version)" >&2; exit 1; }

	have_compiler || { packages+=(gcc libc6-dev); missing+=("a C compiler and its headers (the race detector needs them): set CC"); }
	command -v node >/dev/null || { packages+=(nodejs); missing+=("node 18 or newer, for the JavaScript client's tests: put it in PATH"); }
	if [ -z "${TEST_POSTGRES_URL:-}" ] && ! pg_bin >/dev/null; then
		packages+=(postgresql)
		missing+=("a Postgres server: set TEST_POSTGRES_URL=postgres://user@host:port/db (the user must be a superuser)")
	fi
	if [ -z "${TEST_REDIS_URL:-}" ] && ! command -v redis-server >/dev/null; then
		packages+=(redis-server)
		missing+=("a Redis server: set TEST_REDIS_URL=redis://host:port/0")
	fi
	if [ -z "${CHROMIUM:-}" ] && ! chromium_bin >/dev/null; then
		packages+=(chromium fonts-dejavu-core)
		missing+=("a Chromium browser: set CHROMIUM=/path/to/chromium")
	fi

	if [ ${#packages[@]} -gt 0 ]; then
		install_packages "${packages[@]}" || {
			echo "make test: this machine lacks, and this run could not install:" >&2
			printf '  - %s\n' "${missing[@]}" >&2
			echo "As root on Debian: apt-get install ${packages[*]}" >&2
			exit 1
		}
	fi
	export CHROMIUM="${CHROMIUM:-$(chromium_bin)}"
}

# install_packages installs Debian packages, or fails without having asked.
install_packages() {
	if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
		return 1
	fi
	echo "make test: installing $*"
	export DEBIAN_FRONTEND=noninteractive
	apt-get update -qq </dev/null &&
		apt-get install -y -qq --no-install-recommends "$@" </dev/null >/dev/null
}
