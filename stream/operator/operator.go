// Package operator is what an operator does to identities by hand: declare an identifier shared, so that it links nobody,
// and erase a person. Both are records like any other: the first a message on the journal, the second a forget event on a
// source topic. Nothing is done here that the pipeline does not do; it only has to be running, now or later.
package operator

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"

	"tributary/identity"
	"tributary/schemas"
	"tributary/stream/settings"
	"tributary/stream/topics"
)

// ErrUnusable says that an identifier names nobody: it is blocked, invalid or of an unknown type.
var ErrUnusable = errors.New("the identifier is blocked, not valid for its type, or of an unknown type")

// Operator reaches one application.
type Operator struct {
	Settings *settings.Settings
	Keys     identity.Keyring
	Client   []kgo.Opt // how to reach the cluster
}

// Share declares identifiers shared by many people, such as a call centre's number, for ever: what they held together is
// dissolved and rebuilds itself without them, and the conversions that change by it get a revision with the cause
// identity_split. Declaring one again changes nothing. The audit records that follow carry the name of the request.
func (o Operator) Share(ctx context.Context, request string, identifiers ...schemas.Identifier) error {
	ids, err := o.pseudonyms(identifiers)
	if err != nil {
		return err
	}
	records := make([]*kgo.Record, len(ids))
	for i, id := range ids {
		m := identity.Message{Kind: identity.KindShare, To: identity.Ref{ID: id}, Request: request}
		records[i] = &kgo.Record{Topic: o.Settings.JournalTopic(), Partition: int32(m.Partition(o.Settings.Partitions)),
			Value: identity.AppendToRecord(nil, &m)}
	}
	return o.produce(ctx, kgo.ManualPartitioner(), records)
}

// Forget sends a forget event for a person who is named by the identifiers: everything up to the time at is erased. It
// is given an event id of its own.
func (o Operator) Forget(ctx context.Context, eventID string, at schemas.Millis, identifiers ...schemas.Identifier) error {
	if len(o.Settings.Sources) == 0 {
		return errors.New("sources: there is no source topic to send the forget event to")
	}
	if _, err := o.pseudonyms(identifiers); err != nil {
		return err
	}
	e := schemas.Event{ID: eventID, Type: schemas.TypeForget, OccurredAt: at, Identifiers: identifiers}
	return o.produce(ctx, kgo.RoundRobinPartitioner(), []*kgo.Record{{Topic: o.Settings.Sources[0].Topic, Value: e.Encode(nil)}})
}

// pseudonyms are the identifiers as the journal knows them, under every key in use.
func (o Operator) pseudonyms(identifiers []schemas.Identifier) (ids []identity.ID, err error) {
	normalizer, err := identity.NewNormalizer(o.Settings.IdentityRules(), o.Keys)
	if err != nil {
		return nil, err
	}
	for i, raw := range identifiers {
		before := len(ids)
		if ids, _ = normalizer.IDs([]schemas.Identifier{raw}, ids); len(ids) == before {
			return nil, fmt.Errorf("identifier %d: %w", i+1, ErrUnusable)
		}
	}
	if len(ids) == 0 {
		return nil, errors.New("no identifier")
	}
	return ids, nil
}

// produce writes the records and waits until the cluster has them.
func (o Operator) produce(ctx context.Context, partitioner kgo.Partitioner, records []*kgo.Record) error {
	client, err := topics.Connect(append(o.Client[:len(o.Client):len(o.Client)], kgo.RecordPartitioner(partitioner)))
	if err != nil {
		return err
	}
	defer client.Close()
	if err := topics.Ping(ctx, client); err != nil {
		return err
	}
	for _, r := range client.ProduceSync(ctx, records...) {
		if r.Err != nil {
			return fmt.Errorf("write to topic %s: %w", r.Record.Topic, r.Err)
		}
	}
	return nil
}
