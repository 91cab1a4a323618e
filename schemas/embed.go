package schemas

import _ "embed"

// EventSchema and AttributionSchema are the contract as JSON Schema 2020-12. A record that a schema refuses is refused by the
// decoder; the decoder sees more (README.md, "JSON Schema").
var (
	//go:embed event.schema.json
	EventSchema []byte

	//go:embed attribution.schema.json
	AttributionSchema []byte
)
