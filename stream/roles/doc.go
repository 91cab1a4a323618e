// Package roles is the two roles of the service as tasks of a lane: what they do with the records of one transaction. The
// deciding is in stream/ingest and stream/attribution; here it is put between Kafka records and rows.
//
// Ingest reads source topics and writes the journal and dead letters. Journey reads the journal and writes the journal,
// attributions, aliases and its changelog. Neither knows of groups or transactions: that is the lane's.
package roles

import "tributary/schemas"

// Topics names the topics that the roles write, and how they are written.
type Topics struct {
	Journal      string
	Changelog    string
	Partitions   int // of the journal, and of the changelog
	Attributions string
	Protobuf     bool // attributions are tributary.v1.Attribution messages, else JSON
	Aliases      string
	DeadLetters  string
	LetterBytes  int // largest dead letter that its topic takes: key, value and headers
}

// Names of the headers on a dead letter. Reason is one of schemas.Reason; the value is the original record's.
const (
	HeaderReason    = "tributary-reason"
	HeaderField     = "tributary-field"
	HeaderDetail    = "tributary-detail"
	HeaderTopic     = "tributary-topic"
	HeaderPartition = "tributary-partition"
	HeaderOffset    = "tributary-offset"
	HeaderTimestamp = "tributary-timestamp" // RFC 3339, of the original record
	HeaderTruncated = "tributary-truncated" // original size of the value in bytes, where it was too large to carry whole
)

// TruncatedBytes is how much a dead letter carries of an original value that it can't carry whole.
const TruncatedBytes = 64 << 10

// headerWatermark is on the last journal record that ingest sends to a partition in one go.
const headerWatermark = "w"

// sourceWatermark is the watermark of one source partition.
type sourceWatermark struct {
	topic     string
	partition int32
	watermark schemas.Millis
}
