package landscape

import "fmt"

// mix hashes numbers into one: everything random about the landscape is a
// function of the seed and of what it is about.
func mix(seed uint64, parts ...uint64) uint64 {
	h := seed
	for _, p := range parts {
		h = splitmix(h ^ splitmix(p))
	}
	return h
}

func splitmix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// The kinds of randomness, so that unrelated choices do not move together.
const (
	rRole uint64 = iota + 1
	rSite
	rOS
	rEnv
	rOwner
	rLag
	rHardware
	rAddress
	rUUID
	rBoot
	rInstalled
	rErratum
	rParameter
	rJob
	rTask
	rFiller
)

func pick[T any](list []T, r uint64) T { return list[r%uint64(len(list))] }

// uuid makes a version 4 UUID of two hashes.
func uuid(a, b uint64) string {
	return fmt.Sprintf("%08x-%04x-4%03x-%04x-%012x", a>>32, a>>16&0xffff, a&0xfff, b>>48&0x3fff|0x8000, b&0xffffffffffff)
}
