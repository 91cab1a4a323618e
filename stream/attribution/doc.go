// Package attribution is the journey role without Kafka: it takes the journal messages of the partitions that it owns,
// one transaction's worth at a time, and turns them into row changes, messages to other partitions and attribution
// records. It decides nothing itself: the identity protocol says how customers form, state/journey which touches count,
// scoring what each earned. It opens nothing and reads no clock; time is that of the records.
//
// What goes in is a Message for each journal record, then Finish. What comes out goes to an Output, and to the rows.
// Finish scores the conversions whose answer may have changed, once a transaction however many messages changed them, and
// emits those whose answer did change:
//
//	w := processor.Begin(batch, out)
//	w.Message(3, &event, "2026-03-01T10:00:00Z")       // a click enters a journey
//	w.Message(3, &conversion, "2026-03-01T10:05:00Z")  // a token comes to the same root
//	w.Finish()                                          // one record, revision 1
//
// Advance says how far time has come: conversions whose time and the allowed lateness are behind it become final, with one
// more revision. After that their answer stays as it is, whatever else happens: only what follows from a forget or from the
// replay of a record revises it, and it stays final. What is older than the retention goes, in steps: retention.go.
package attribution
