//go:build kafka

package lane

import (
	"testing"
	"time"

	"tributary/stream/kafkatest"
)

// On Apache Kafka, with both transaction protocols, dynamic and static members. The transactions of static ones span partitions.
func TestExactlyOnceUnderFaultsOnKafka(t *testing.T) {
	for _, c := range []struct {
		name    string
		version int
		static  bool
	}{
		{"transaction.version=2", 2, false},
		{"transaction.version=2 static", 2, true},
		{"transaction.version=1", 1, false},
		{"transaction.version=1 static", 1, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRiver(t, kafkatest.Shared(t, kafkatest.Options{TransactionVersion: c.version}), 6, 3)
			r.static, r.spanning = c.static, c.static
			r.flood(seed(t), 10, 3*time.Minute)
		})
	}
}

// Lanes of one process share a store, on Apache Kafka.
func TestLanesWithOneStoreOnKafka(t *testing.T) {
	lanesWithOneStore(t, kafkatest.Shared(t, kafkatest.Options{}))
}

// Apache Kafka, too, holds back the end of a changelog that a transaction is open in.
func TestRestoreWaitsForAnOpenTransactionOnKafka(t *testing.T) {
	restoreWaits(t, kafkatest.Shared(t, kafkatest.Options{}))
}

// Apache Kafka keeps notes beside offsets, with both transaction protocols.
func TestNotesGoWithTheirPartitionsOnKafka(t *testing.T) {
	for _, version := range []int{2, 1} {
		notesGo(t, kafkatest.Shared(t, kafkatest.Options{TransactionVersion: version}))
	}
}

// Apache Kafka commits what an idler says, with both transaction protocols.
func TestIdlerSpeaksWithoutInputOnKafka(t *testing.T) {
	for _, version := range []int{2, 1} {
		idlerSpeaks(t, kafkatest.Shared(t, kafkatest.Options{TransactionVersion: version}))
	}
}
