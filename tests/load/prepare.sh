# What the scripts of this folder share: packages, the Python of the tests, the gateway as it is deployed. Sourced, never run.
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
. deploy/lib.sh
install_packages deploy/packages
install_packages tests/load/packages
[ -x .cache/venv/bin/python ] || ./tests/run --tools

# prepare_gateway PRESET FOLDER: built as that preset says, in a folder of its own, so that nobody who builds meanwhile changes what is
# measured. With PORTICO_TEST_BIN=FOLDER the gateway that is there is taken instead.
prepare_gateway() {
	export PYTHONPATH=tests:tests/load PYTHONDONTWRITEBYTECODE=1
	[ -z "${PORTICO_TEST_BIN:-}" ] || return 0
	cmake --preset "$1" -B "$2" -DCMAKE_C_COMPILER_LAUNCHER="$(command -v ccache || true)" >/dev/null
	cmake --build "$2" --target gateway >"$2/build.log" || { tail -n 30 "$2/build.log" >&2; return 1; }
	export PORTICO_TEST_BIN=$2/bin
}
