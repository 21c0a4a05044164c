package landscape

type job struct{}
type task struct{}
type configReport struct{}
type pendingReport struct{}

func (s *Server) actionRoutes() []route { return nil }
