# The settings of the suite's processes in the local stack. Sourced after lib.sh and stores.sh, never run. A process gets those
# that its binary declares (--help prints them) and no other: an unknown PORTICO_* name is fatal there. One replica of each has
# nobody to hand over to while it drains.

make_secrets() {         # once, readable by their owner only
	local name
	mkdir -p "$secrets"
	chmod 0700 "$secrets"
	for name in caller-key identity-key-secret station-key checkout-key seal-secret; do
		[ -s "$secrets/$name" ] || (umask 077 && openssl rand -hex 32 >"$secrets/$name")
	done
	[ -s "$secrets/saml-certificate" ] || "$root/deploy/saml-certificate" "$secrets/saml-key" "$secrets/saml-certificate" \
		"$(address gateway)/identity/v1/spid/metadata" "Comune di Bologna" c_a944 Bologna
	[ -s "$secrets/federation-certificate" ] || (umask 077 && openssl req -x509 -newkey rsa:2048 -nodes -days 730 \
		-subj "/CN=SPID and CIE, emulator" -keyout "$secrets/federation-key" -out "$secrets/federation-certificate" 2>/dev/null)
	[ -s "$secrets/appio-keys" ] || (umask 077 &&
		printf '{"c_a944": "%s", "c_a662": "%s"}\n' "$(openssl rand -hex 16)" "$(openssl rand -hex 16)" >"$secrets/appio-keys")
}

# For TLS on this machine: a certificate that nobody has signed. An installation has those of its host names there instead.
make_certificate() {
	[ ! -s "$state/certificates/portico.pem" ] || return 0
	mkdir -p "$state/certificates"
	(umask 077 && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 825 -subj /CN=localhost \
		-addext subjectAltName=DNS:localhost,IP:127.0.0.1 -keyout - -out - >"$state/certificates/portico.pem" 2>/dev/null) ||
		die "openssl could not make $state/certificates/portico.pem"
}

address() {
	echo "http://127.0.0.1:$(port "$1")"
}

siblings() {             # "identity=http://127.0.0.1:8101,dossier=…"
	local name list=''
	for name in "${services[@]}"; do
		list+="$name=$(address "$name"),"
	done
	echo "${list%,}"
}

every_setting() {        # every_setting NAME
	cat <<-END
		PORTICO_LISTEN=127.0.0.1:$(port "$1")
		PORTICO_DRAIN_MS=0
		PORTICO_TLS_LISTEN=127.0.0.1:$(port https)
		PORTICO_TLS_CERTIFICATES=$state/certificates
		PORTICO_HSTS=0
		PORTICO_CONTRACTS=$root/openapi
		PORTICO_PARTNER_KEYS=$state/partner-keys
		PORTICO_DATABASE=$(conninfo "$1" "portico_$1")
		PORTICO_REDIS=127.0.0.1:$(port redis)
		PORTICO_SERVICES=$(siblings)
		PORTICO_UPSTREAMS=$(siblings),feed=$(address notifications)
		PORTICO_CALLER_KEY_FILE=$secrets/caller-key
		PORTICO_LOG_LEVEL=info
		PORTICO_ISSUER=$(address gateway)/identity/v1
		PORTICO_AUDIENCE=portico
		PORTICO_JWKS_URL=$(address identity)/identity/v1/jwks.json
		PORTICO_REVOCATIONS_URL=$(address identity)/identity/v1/revocations
		PORTICO_SPOOL=$state/spool
		PORTICO_SMTP_URL=smtp://127.0.0.1:$(port smtp)
		PORTICO_SMTP_TLS=none
		PORTICO_MAILDIR=$state/mail
		PORTICO_SEAL_SECRET_FILE=$secrets/seal-secret
		PORTICO_WEBHOOK_NETWORKS=127.0.0.0/8
		PORTICO_APPIO_URL=$(address appio)/api/v1
		PORTICO_APPIO_KEYS_FILE=$secrets/appio-keys
		PORTICO_STATION_KEY_FILE=$secrets/station-key
		PORTICO_CHECKOUT_URL=$(address pagopa)/checkout/ec/v1
		PORTICO_CHECKOUT_KEY_FILE=$secrets/checkout-key
		PORTICO_KEY_SECRET_FILE=$secrets/identity-key-secret
		PORTICO_SAML_KEY_FILE=$secrets/saml-key
		PORTICO_SAML_CERTIFICATE_FILE=$secrets/saml-certificate
		PORTICO_SPID_TENANT=c_a944
		PORTICO_SPID_REGISTRY=$(address spid)/registry/spid
		PORTICO_SPID_REGISTRY_CERTIFICATE_FILE=$secrets/federation-certificate
		PORTICO_SPID_AGGREGATOR=Città metropolitana di Bologna
		PORTICO_SPID_AGGREGATOR_VAT=IT03428581205
		PORTICO_SPID_AGGREGATOR_EMAIL=spid@cittametropolitana.example
		PORTICO_SPID_AGGREGATOR_PHONE=+39051203040
		PORTICO_CIE_TENANT=c_a944
		PORTICO_CIE_MUNICIPALITY=037006
		PORTICO_CIE_PROVINCE=BO
		PORTICO_CIE_REGISTRY=$(address spid)/registry/cie
		PORTICO_CIE_REGISTRY_CERTIFICATE_FILE=$secrets/federation-certificate
		PORTICO_FEDERATION_KEY_FILE=$secrets/federation-key
		PORTICO_FEDERATION_CERTIFICATE_FILE=$secrets/federation-certificate
		PORTICO_PROVIDERS_TRUSTED=$(address gateway)/identity/v1/
		PORTICO_CALLBACKS_INSIDE=1
		PORTICO_PUBLIC_URL=$(address "$1")
		PORTICO_STATION_URL=$(address gateway)/payments/v1/pagopa/node
		PORTICO_JOURNAL=$state/$1.journal
		PORTICO_DOCUMENTS=$state/documents
	END
	cat "$state/settings"
}

settings_of() {          # settings_of NAME: those that the binary declares
	local declared line setting
	declared=$("$bin/$1" --help) || die "$bin/$1 --help fails: build it anew with ./deploy/up"
	while IFS= read -r line; do
		setting=${line%%=*}
		if [[ $declared == *" ${setting%_FILE} "* ]]; then echo "$line"; fi
	done < <(every_setting "$1")
}
