// One operation from start to completion, and the state that it leaves. Sees nothing but what is installed.

#include <iostream>

#include "foldlog/engine.h"

int main(int argc, char** argv) {
  auto engine = foldlog::Engine::Open(argc > 1 ? argv[1] : "consumer.foldlog");
  if (!engine.ok()) return std::cerr << engine.status() << "\n", 1;
  auto handle = (*engine)->Start({.type = foldlog::OperationType::kInitial, .total_files = 2});
  if (!handle.ok()) return std::cerr << handle.status() << "\n", 1;
  absl::Status status = (*engine)->Checkpoint(*handle, foldlog::Checkpoint{.files_processed = 2});
  status.Update((*engine)->Complete(*handle));
  status.Update((*engine)->Close());
  if (!status.ok()) return std::cerr << status << "\n", 1;
  const foldlog::State state = (*engine)->state();
  std::cout << Name(state.status()) << " " << state.operation->files_processed << " of "
            << *state.operation->total_files << "\n";
}
