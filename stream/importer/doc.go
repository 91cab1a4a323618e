// Package importer turns CSV files into events of the native format.
//
// In come a mapping, which says what of a row goes where in the event, and the bytes of a file; out come events, one for
// each row, to a Sink. A mapping is a YAML file of templates: text in which {column} stands for the row's value.
//
//	event_id: "crm-{order}"
//	occurred_at: {value: "{date} {time}", layout: "%d.%m.%Y %H:%M", zone: Europe/Berlin}
//	identifiers: {customer_id: "{customer}", phone: ["{mobile}", "{landline}"]}
//	conversion: {name: purchase, id: "{order}", value: "{total}", currency: EUR}
//
//	order,customer,date,time,mobile,landline,total
//	1001,K-17,01.03.2026,10:00,,030 901820,"99.90"
//
//	{"event_id":"crm-1001","type":"conversion","occurred_at":"2026-03-01T09:00:00.000Z",
//	 "identifiers":{"customer_id":"K-17","phone":"030 901820"},
//	 "conversion":{"name":"purchase","id":"1001","value":"99.90","currency":"EUR"}}
//
// Every event is checked as ingest would check it. A row that gives no valid event is refused with file, line, column and
// reason, never with the value, which can be personal data; the rows after it go on. README.md explains mappings.
//
// It reads a file of any size with the memory of one row, and opens no files itself.
package importer
