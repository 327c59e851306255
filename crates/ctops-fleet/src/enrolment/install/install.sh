set -eu
umask 077

fail() {
    printf 'ct-ops install: %s\n' "$1" >&2
    exit 1
}

has() {
    command -v "$1" >/dev/null 2>&1
}

# With a pin curl accepts this one key and no other, whoever signed the certificate.
fetch() {
    if [ -n "$PIN" ]; then
        curl -fsS --connect-timeout 20 --retry 3 -k --pinnedpubkey "$PIN" "$@"
    else
        curl -fsS --connect-timeout 20 --retry 3 "$@"
    fi
}

sha256_of() {
    if has sha256sum; then
        sha256sum "$1" | cut -d ' ' -f 1
    elif has shasum; then
        shasum -a 256 "$1" | cut -d ' ' -f 1
    elif has openssl; then
        openssl dgst -sha256 -r "$1" | cut -d ' ' -f 1
    else
        fail 'no program to verify a checksum was found: sha256sum, shasum or openssl is needed'
    fi
}

# Everything happens in here, so that a download that breaks off runs nothing.
main() {
    CT_OPS_ENROLMENT_TOKEN="${CT_OPS_ENROLMENT_TOKEN:-${CT_OPS_ORG_TOKEN:-}}"
    [ -n "$CT_OPS_ENROLMENT_TOKEN" ] || fail 'CT_OPS_ENROLMENT_TOKEN is not set'
    export CT_OPS_ENROLMENT_TOKEN
    has curl || fail 'curl was not found'

    system=$(uname -s)
    case "$system" in
        Linux) os=linux ;;
        *) fail "operating system $system is not supported" ;;
    esac
    machine=$(uname -m)
    case "$machine" in
        x86_64 | amd64) arch=amd64 ;;
        aarch64 | arm64) arch=arm64 ;;
        *) fail "architecture $machine is not supported" ;;
    esac

    as_root=
    if [ "$(id -u)" -ne 0 ]; then
        has sudo || fail 'run this as root, or install sudo'
        as_root='sudo --preserve-env=CT_OPS_ENROLMENT_TOKEN'
    fi

    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    trap 'exit 1' HUP INT TERM

    fetch -D "$work/headers" -o "$work/ct-ops-agent" "$BASE_URL/api/v1/agent/binary?os=$os&arch=$arch" ||
        fail "the agent for $os-$arch could not be downloaded"
    expected=$(tr -d '\r' <"$work/headers" | sed -n 's/^[Xx]-[Ss][Hh][Aa]256: *\([0-9a-f]*\)$/\1/p' | tail -n 1)
    actual=$(sha256_of "$work/ct-ops-agent")
    if [ "${#expected}" -ne 64 ] || [ "$expected" != "$actual" ]; then
        fail 'the checksum of the downloaded agent does not match'
    fi
    chmod 0755 "$work" "$work/ct-ops-agent"

    set -- -install -address "$INGEST"
    if [ -n "$CA_PEM" ]; then
        printf '%s\n' "$CA_PEM" >"$work/server-ca.pem"
        set -- "$@" -ca-cert "$work/server-ca.pem"
    fi
    if [ "$SKIP_VERIFY" = true ]; then
        set -- "$@" -tls-skip-verify
    fi
    # The agent copies itself and the certificates to where they stay.
    $as_root "$work/ct-ops-agent" "$@"
}

main
