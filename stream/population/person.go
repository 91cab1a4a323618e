package population

import (
	"strconv"
	"strings"
)

// person is what stays the same in a life. It follows from seed and index alone, so nothing of it is stored.
type person struct {
	index      uint64
	browsers   int  // cookies, 1 to 4
	app        bool // a device id too
	account    bool // a user id
	hasPhone   bool
	phoneIndex uint64 // whose number it is: a family has one
	callCentre bool
	device     bool // shares her first browser
	tablet     bool // uses the shop's tablet
}

// maxBrowsers bounds the cookies of one person.
const maxBrowsers = 4

// personOf invents the person; r is her generator at its beginning and goes on with her life.
func (c *Config) personOf(index uint64, r *random) person {
	p := person{index: index, phoneIndex: index}
	p.browsers = 1 + r.chosen([]int64{50, 33, 12, 5})
	p.app = r.chance(0.2)
	p.account = r.chance(0.55)
	p.hasPhone = r.chance(0.6)
	p.callCentre = r.chance(c.CallCentre)
	if c.family(index) {
		p.phoneIndex, p.hasPhone = index&^1, true
	}
	p.hasPhone = p.hasPhone && p.phoneIndex < phoneNumbers
	p.device = c.pair(0xde71ce, index, c.Devices)
	own := randomOf(c.Seed^0x7ab1e7, index)
	p.tablet = p.browsers > 1 && own.chance(c.Tablets)
	return p
}

// family reports whether the person shares a number with her neighbour in the list.
func (c *Config) family(index uint64) bool { return c.pair(0xfa3117, index, c.Families) }

// pair reports whether the person shares something with her neighbour in the list. Both come to the same answer.
func (c *Config) pair(what, index uint64, share float64) bool {
	pair := randomOf(c.Seed^what, index&^1)
	return (index|1) < uint64(c.Customers) && pair.chance(share)
}

// number is the person's number in user and customer ids: an order that has nothing to do with the order of appearance.
func (p *person) number() uint64 { return p.index * 2654435761 % (1 << 32) }

var (
	firstNames = strings.Fields("ann ben carla david elena farid grace hugo ines jonas kim luca maya noah olga paul quinn rosa sam tara " +
		"uma viktor wendy xavier yara zoe amir bella chen diego emma felix gina hana ivan julia kofi lena marta nina")
	lastNames = strings.Fields("lee garcia smith okafor rossi novak schmidt dubois tanaka silva cohen kaya larsen murphy popov haddad " +
		"mbeki jansen moreau ferrari kim patel wagner lopez ivanova berg costa nagy sato reyes")
	mailHosts = []string{"example.com", "example.org", "example.net"}

	// Area codes of the United States. With the exchange 555, whose numbers are fictional or not given to anybody.
	areaCodes = strings.Fields("201 202 203 205 206 207 208 209 210 212 213 214 215 216 217 218 219 224 225 228 229 231 234 239 240 248 " +
		"251 252 253 254 256 260 262 267 269 270 276 281 301 302 303 304 305 307 308 309 310 312 313 314 315 316 317 318 319 320 321 " +
		"323 325 330 334 336 337 339 347 351 352 360 361 386 401 402 404 405 406 407 408 409 410 412 413 414 415 417 419 423 424 425 " +
		"430 432 434 435 440 443 469 478 479 480 484 501 502 503 504 505 507 508 509 510 512 513 515 516 517 518 520 530 540 541 551 " +
		"559 561 562 563 567 570 571 573 574 575 580 585 586 601 602 603 605 606 607 608 609 610 612 614 615 616 617 618 619 620 623 " +
		"626 630 631 636 641 646 650 651 660 661 662 678 682 701 702 703 704 706 707 708 712 713 714 715 716 717 718 719 720 724 727 " +
		"731 732 734 740 754 757 760 763 765 770 772 773 774 775 781 785 786 801 802 803 804 805 806 808 810 812 813 814 815 816 817 " +
		"818 828 830 831 832 843 845 847 848 850 856 857 858 859 860 862 863 864 865 870 901 903 904 906 907 908 909 910 912 913 914 " +
		"915 916 917 918 919 920 925 928 931 936 937 940 941 949 951 952 954 956 970 971 972 973 978 979 980 985 989")

	// phoneNumbers is how many people can have a number of their own.
	phoneNumbers = uint64(len(areaCodes)) * 10_000
)

// callCentreNumber stands on the orders that the call centre writes.
const callCentreNumber = "+18005550100"

// phone is the person's number in E.164.
func (p *person) phone() string {
	line := 10_000 + p.phoneIndex/uint64(len(areaCodes)) // five digits, the first of which is cut
	return "+1" + areaCodes[p.phoneIndex%uint64(len(areaCodes))] + "555" + strconv.FormatUint(line, 10)[1:]
}

// appendPhone writes an American number in one of the ways people do.
func appendPhone(dst []byte, e164 string, way uint8) []byte {
	area, exchange, line := e164[2:5], e164[5:8], e164[8:]
	switch way % 5 {
	case 1:
		return append(append(append(append(append(append(dst, '('), area...), ") "...), exchange...), '-'), line...)
	case 2:
		return append(append(append(append(append(dst, area...), '-'), exchange...), '-'), line...)
	case 3:
		return append(append(append(append(append(append(dst, "1 "...), area...), ' '), exchange...), ' '), line...)
	case 4:
		return append(append(append(append(append(dst, area...), '.'), exchange...), '.'), line...)
	}
	return append(dst, e164...)
}

// appendEmail writes the person's address in one of the ways forms let through.
func (p *person) appendEmail(dst []byte, way uint8) []byte {
	from := len(dst)
	dst = append(dst, firstNames[p.index%uint64(len(firstNames))]...)
	dst = append(dst, '.')
	dst = append(dst, lastNames[p.index/7%uint64(len(lastNames))]...)
	dst = strconv.AppendUint(dst, p.index, 10)
	dst = append(dst, '@')
	dst = append(dst, mailHosts[p.index%uint64(len(mailHosts))]...)
	switch way % 6 {
	case 1:
		dst[from] -= 'a' - 'A'
	case 2:
		for i := from; i < len(dst); i++ {
			if dst[i] >= 'a' && dst[i] <= 'z' {
				dst[i] -= 'a' - 'A'
			}
		}
	case 3:
		dst = append(dst, ' ')
	}
	return dst
}

func (p *person) appendUserID(dst []byte) []byte {
	return strconv.AppendUint(append(dst, "u-"...), p.number(), 10)
}

func (p *person) appendCustomerID(dst []byte) []byte {
	return strconv.AppendUint(append(dst, "crm-"...), p.number(), 10)
}

// neighbourhood is how many people in the list go to one shop.
const neighbourhood = 500

// appendCookie writes the id of one of the person's browsers.
func (c *Config) appendCookie(dst []byte, p *person, browser uint8) []byte {
	number := p.index*maxBrowsers + uint64(browser) + 1<<40
	switch {
	case p.tablet && int(browser) == p.browsers-1:
		number = p.index/neighbourhood + 1<<42
	case p.device && browser == 0:
		number = (p.index&^1)*maxBrowsers + 1<<40
	}
	return appendHex(append(dst, "c-"...), mix(c.Seed^mix(number)), 12)
}

func (c *Config) appendDevice(dst []byte, p *person) []byte {
	return appendHex(append(dst, "d-"...), mix(c.Seed^mix(p.index+1<<41)), 16)
}

// appendEventID writes an id that no other event of the population has: mix keeps different numbers different.
func (c *Config) appendEventID(dst []byte, person uint64, number uint16) []byte {
	return appendHex(append(dst, "e-"...), mix(mix(c.Seed)^(person<<16|uint64(number))), 16)
}

func appendHex(dst []byte, n uint64, digits int) []byte {
	for shift := 4 * (digits - 1); shift >= 0; shift -= 4 {
		dst = append(dst, "0123456789abcdef"[n>>shift&15])
	}
	return dst
}

// appendConversionID writes the id of the person's k-th conversion, k < 64.
func appendConversionID(dst []byte, name string, person uint64, k uint8) []byte {
	dst = append(append(dst, name...), '-')
	return strconv.AppendUint(dst, 1_000_000+person*64+uint64(k), 10)
}
