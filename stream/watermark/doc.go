// Package watermark decides how far event time has come. It keeps no clock of its own, opens nothing and starts nothing: it
// goes by the order of records alone.
//
// What comes in: the events of source partitions (Source), and the messages by which ingest, the clock and the journal's
// partitions tell each other of time (Message). What goes out: the watermark of every source partition, and for every
// partition of the journal two times (Times): its watermark, and the time up to which everything has arrived that there is to
// arrive. README.md has a picture.
//
//	source := watermark.Source{}
//	source.See(at("10:00:00"), at("10:00:02"), time.Minute) // event time, record time
//	source.Watermark                                        // 09:59:00
//	source.Late(at("09:20:00"), 30*time.Minute)             // true: 39 minutes behind
package watermark
