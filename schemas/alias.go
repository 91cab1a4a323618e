package schemas

// Alias says that customer Old is now known as New, because it turned out to be the same person. It is the value of the
// alias topic, a compacted one, whose key is Old. New can have been absorbed in its turn: a reader follows the chain. A
// tombstone withdraws an alias: what held both together is gone.
type Alias struct {
	Old string
	New string
}

// Encode appends the alias as JSON: {"old_customer_id":"c1","customer_id":"c2"}.
func (a Alias) Encode(dst []byte) []byte {
	dst = append(dst, `{"old_customer_id":`...)
	dst = appendString(dst, a.Old)
	dst = append(dst, `,"customer_id":`...)
	dst = appendString(dst, a.New)
	return append(dst, '}')
}

// DecodeAlias reads what Encode writes. Every error is a *Refusal.
func DecodeAlias(value []byte) (Alias, error) {
	var a Alias
	_, err := read(value, a.read)
	if err != nil {
		return Alias{}, err
	}
	return a, nil
}

func (a *Alias) read(r *reader) {
	if !r.open("") {
		r.refuse(ReasonNotJSON, "", "not an object")
		return
	}
	for r.more() {
		switch name := r.name(); string(name) {
		case "old_customer_id":
			a.Old = r.id("old_customer_id")
		case "customer_id":
			a.New = r.id("customer_id")
		default:
			r.ignore()
		}
	}
	if a.Old == "" {
		r.refuse(ReasonMissingField, "old_customer_id", "")
	}
	if a.New == "" {
		r.refuse(ReasonMissingField, "customer_id", "")
	}
}
