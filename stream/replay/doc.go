// Package replay feeds records that are in Kafka already through the pipeline once more: the late topic, dead letters that
// a newer release may understand, or a stretch of a source topic. It copies them to the replay topic of an application,
// each with a header that says so. The ingest role reads that topic beside its sources, and to it such a record is never
// late, moves no watermark, and revises final conversions too, with the cause backfill. What was applied before changes
// nothing: an event id is an event.
//
// The copy is exactly once and can be stopped at any time: how far it has come is the committed offsets of a group of its
// own, and the same command goes on from there.
//
// A replay beside the live application goes to another application id, which has its own state and outputs:
//
//	tributary run --beside trial --config new-models.yaml     # an application named trial
//	tributary replay --beside trial --from events --since 2026-01-01T00:00:00Z
package replay
