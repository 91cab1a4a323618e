package state

import "fmt"

// Plain is the value of a plain row; ok is false if there is none. A kind that is not plain is an error of the batch.
func (r *Rows) Plain(k Kind, key []byte) (value []byte, ok bool) {
	full := r.plainKey(k, key)
	if full == nil {
		return nil, false
	}
	stored := r.read(full)
	if stored == nil {
		return nil, false
	}
	value, err := decodePlain(k, stored)
	r.fail(k, err)
	return value, err == nil
}

// PutPlain writes a plain row. Its key has 0 to MaxPlainKey bytes.
func (r *Rows) PutPlain(k Kind, key, value []byte) {
	if full := r.plainKey(k, key); full != nil {
		r.value = appendPlain(r.value[:0], value)
		r.update(full, r.value)
	}
}

// DeletePlain deletes a plain row.
func (r *Rows) DeletePlain(k Kind, key []byte) {
	if full := r.plainKey(k, key); full != nil {
		r.update(full, nil)
	}
}

// Plains calls yield for the plain rows of a kind from one key to below another, ascending, until it returns false. A nil
// to is no bound. yield must not write.
func (r *Rows) Plains(k Kind, from, to []byte, yield func(key, value []byte) bool) {
	lower := r.plainKey(k, from)
	if lower == nil {
		return
	}
	prefix := lower[:partitionBytes+1]
	upper := after(prefix)
	if to != nil {
		upper = append(append([]byte(nil), prefix...), to...)
	}
	r.batch.scan(r, lower, upper, func(key, stored []byte) bool {
		value, err := decodePlain(k, stored)
		if err != nil {
			r.fail(k, err)
			return false
		}
		return yield(key[partitionBytes+1:], value)
	})
}

// PlainEntry reads a changelog entry of a plain kind: key and value are its row's. ok is false for an entry of another kind,
// or one that deletes.
func PlainEntry(k Kind, e Entry) (key, value []byte, ok bool, err error) {
	if len(e.Key) == 0 || Kind(e.Key[0]) != k || e.Value == nil {
		return nil, nil, false, nil
	}
	value, err = decodePlain(k, e.Value)
	return e.Key[1:], value, err == nil, err
}

// plainKey is nil after an error.
func (r *Rows) plainKey(k Kind, key []byte) []byte {
	if !kinds[k].plain || len(key) > kinds[k].key {
		r.batch.fail(fmt.Errorf("state: a plain row of %v with a key of %d bytes", k, len(key)))
	}
	if r.failed() {
		return nil
	}
	return append(appendHead(nil, r.partition, k), key...)
}
