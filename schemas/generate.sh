#!/bin/sh
# Regenerates schemas/tributarypb from every .proto file of schemas/proto/tributary/v1.
#
# Needs protoc (Debian and Ubuntu: apt-get install protobuf-compiler). The plugins are the tools that go.mod pins.
# Nothing is replaced unless everything was generated.
set -eu
cd "$(dirname "$0")"

if ! command -v protoc >/dev/null; then
	echo "generate.sh: protoc is missing; install the package protobuf-compiler" >&2
	exit 1
fi

out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

protoc --proto_path=proto \
	--plugin=protoc-gen-go="$(go tool -n protoc-gen-go)" \
	--plugin=protoc-gen-go-vtproto="$(go tool -n protoc-gen-go-vtproto)" \
	--go_out="$out" --go_opt=module=tributary \
	--go-vtproto_out="$out" --go-vtproto_opt=module=tributary,features=marshal+unmarshal+size \
	proto/tributary/v1/*.proto

rm -f tributarypb/*.pb.go
mv "$out"/schemas/tributarypb/*.pb.go tributarypb/
