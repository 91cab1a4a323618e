// Package tributarypb is the generated Go code of schemas/proto/tributary/v1. Run schemas/generate.sh after a change of a
// .proto file. MarshalVT and UnmarshalVT are fast and deterministic (no message has a map), but check neither UTF-8 nor any
// rule of the contract: package schemas does.
package tributarypb
