package scoring

import (
	"math/big"
	"math/bits"
)

// halved is 2^top · 2^(−age/halfLife), rounded to the nearest integer: the weight after age of something that weighed
// 2^top and loses half in every halfLife. halfLife is above 0 and top at most 63. The unrounded value is within 2^-59 of
// itself; at whole half-lives it is exact.
func halved(age, halfLife uint64, top uint) uint64 {
	whole := age / halfLife
	if whole > uint64(top) {
		return 0 // less than half a unit
	}
	fraction, _ := bits.Div64(age%halfLife, 0, halfLife)
	shift := 63 - top + uint(whole)
	if shift == 0 {
		return power(fraction)
	}
	return (power(fraction) + 1<<(shift-1)) >> shift
}

// power is 2^63 · 2^(−f), where f is a fraction in units of 2^-64; f = 0 gives 2^63.
//
// f is cut into eight digits of four bits and a rest g of 32 bits, so that 2^(−f) is a product of one table entry for
// each digit and of 2^(−g) = 1 − g·ln 2, whose error, (g·ln 2)²/2, is below 2^-65.
func power(f uint64) uint64 {
	v := product(
		product(
			product(powers[0][f>>60], powers[1][f>>56&15]),
			product(powers[2][f>>52&15], powers[3][f>>48&15])),
		product(
			product(powers[4][f>>44&15], powers[5][f>>40&15]),
			product(powers[6][f>>36&15], powers[7][f>>32&15])))
	const ln2 = 2977044472 // ln 2 · 2^32
	loss, _ := bits.Mul64(v, f&(1<<32-1)*ln2)
	return v - loss>>32
}

// product multiplies two fractions in units of 2^-63.
func product(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	return hi<<1 | lo>>63
}

// powers[i][d] is 2^63 · 2^(−d/16^(i+1)), rounded to the nearest integer.
var powers = tabulatePowers()

// tabulatePowers finds 2^(−1/16^(i+1)) by four square roots from the one before, from 1/2 on, with 192 bits after the
// point, and multiplies it up.
func tabulatePowers() (table [8][16]uint64) {
	const point = 192
	root := new(big.Int).Lsh(big.NewInt(1), point-1)
	for i := range table {
		for range 4 {
			root.Lsh(root, point)
			root.Sqrt(root)
		}
		value := new(big.Int).Lsh(big.NewInt(1), point)
		for d := range table[i] {
			half := new(big.Int).Lsh(big.NewInt(1), point-64)
			table[i][d] = half.Add(half, value).Rsh(half, point-63).Uint64()
			value.Mul(value, root).Rsh(value, point)
		}
	}
	return table
}
