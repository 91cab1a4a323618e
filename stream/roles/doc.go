// Package roles is the two roles of the service as tasks of a lane: what they do with the records of one transaction. The
// deciding is in stream/ingest and stream/attribution; here it is put between Kafka records and rows.
//
// Ingest reads source topics and writes the journal, dead letters and late events. Journey reads the journal and writes the
// journal, attributions, aliases, audit records and its changelog. What one of its actors says to another of the same lane it
// handles at once, in the same transaction, if the order allows that (handover.go). Neither knows of groups or transactions: that is the lane's. Both do
// their part in keeping time, which is decided in stream/watermark.
package roles

// Topics names the topics that the roles read and write, and how they are written.
type Topics struct {
	Replay       string           // is ingested like a source, and tells nothing of time
	Sources      map[string]int32 // with the number of their partitions; 0: not known
	Journal      string
	Changelog    string
	Partitions   int // of the journal, and of the changelog
	Attributions string
	Protobuf     bool // attributions are tributary.v1.Attribution messages, else JSON
	Aliases      string
	Audit        string
	DeadLetters  Letters
	Late         Letters
}

// Letters is a topic for records that go no further.
type Letters struct {
	Topic string
	Bytes int // largest record that it takes: key, value and headers
}

// Names of the headers on dead letters and late events. Reason is one of schemas.Reason; key and value are the original
// record's, and so are the other headers.
const (
	HeaderReason    = "tributary-reason"
	HeaderField     = "tributary-field"  // dead letters only
	HeaderDetail    = "tributary-detail" // dead letters only
	HeaderTopic     = "tributary-topic"
	HeaderPartition = "tributary-partition"
	HeaderOffset    = "tributary-offset"
	HeaderTimestamp = "tributary-timestamp" // RFC 3339, of the original record
	HeaderTruncated = "tributary-truncated" // original size of the value in bytes, where it was too large to carry whole
	HeaderWatermark = "tributary-watermark" // late events only: RFC 3339, of the event's source partition
	HeaderAge       = "tributary-age-ms"    // late events only: how far the event was behind that, in milliseconds
)

// HeaderReplay marks a source record that is replayed: it is never late, tells nothing of time, and what it changes has the cause
// backfill. Its value is the topic that a replay copied it from, or empty if the sender marked it, as an import does.
const HeaderReplay = "tributary-replay"

// TruncatedBytes is how much a letter carries of an original value that it can't carry whole.
const TruncatedBytes = 64 << 10
