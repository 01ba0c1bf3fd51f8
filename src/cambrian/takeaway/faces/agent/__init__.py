"""The agent: its learner, the parts it is made of, and the contract that they keep."""
